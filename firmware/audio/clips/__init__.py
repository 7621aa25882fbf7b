"""Audio clips: files that people upload, kept and played. `shelf` keeps them, `player` plays them, `service` is both.

What a file is and how it sounds is found out by `firmware.sound_files`.
"""
