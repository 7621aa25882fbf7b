"""What of the rig bench can be tested without a rig."""
