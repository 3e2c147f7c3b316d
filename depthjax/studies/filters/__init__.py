"""The filters of a convolution in several networks: claim C15."""
