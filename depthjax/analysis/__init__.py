"""What can be said of a layer beside inverting it: what is lost, what is seen, what is near."""
