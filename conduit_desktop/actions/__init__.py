"""What an operator can do, as plain async functions over a `House`.

The window, the command line and the admin API all come through here, so a wish is checked, written, noted in the audit
log and published in one way, whoever makes it. `operations` lists them with their admin paths.
"""
