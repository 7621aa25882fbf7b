"""The cloud connection: the device calls a dispatcher of its owner's choice, which may then ask the device's own API.

Only the network role has it. docs/cloud.md is the description of its protocol, which is our own. Nothing is imported
here: control reads the declaration of the settings (`settings.py`), to know what a restore keeps.
"""
