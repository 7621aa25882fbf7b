"""The link: how the three roles of a device meet, in one process or over a Unix socket.

Every role publishes events and owns actions and parameter groups; control is the hub that routes,
retains state and checks the caller's level. Everything that crosses is a value.
"""
