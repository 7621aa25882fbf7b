"""Sound files: what one is by its content, and its sound, decoded in a confined child.

No service and nothing of one is imported here: the child must start fast, and hold as little as it can.
"""
