"""`lintel doctor`: looks over the machine a board is on, and says of each thing that is missing which command mends it.

It reads, and moves nothing: no GPIO line is requested, no register written, so that it is safe while the firmware
runs. Its one write is a small file in the state directory, to time the medium, which it removes again.
"""
