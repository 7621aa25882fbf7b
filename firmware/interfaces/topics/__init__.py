"""Events of the device under the topics that camera and access-control programs know, for every interface that streams
them. A tree of topics; each event has source and data items, all of them texts (ONVIF Core, Event Handling).
"""
