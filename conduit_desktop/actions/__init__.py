"""What an operator can do: the operations of the admin API, the command line and the window.

`operations` is the table of them, `dispatch` the path of every change, `admin_client` what callers hold.
"""
