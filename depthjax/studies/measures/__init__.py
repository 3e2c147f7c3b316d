"""What each measure of likeness sees, on photographs that are changed in known ways."""
