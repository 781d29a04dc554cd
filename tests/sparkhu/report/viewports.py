"""Sizes of the windows that reports are looked at in."""

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
