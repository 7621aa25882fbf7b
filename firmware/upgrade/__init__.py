"""The upgrade room: bundles, slots, trial, commit, rollback, restore and factory reset; nothing here can brick."""
