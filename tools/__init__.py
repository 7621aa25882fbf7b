"""What is run beside the firmware: the kernel bench, catalogues, screenshots, packages and images."""
