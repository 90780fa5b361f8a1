"""The window around the pages: sidebar, tray, notifications, server controls, page registry."""
