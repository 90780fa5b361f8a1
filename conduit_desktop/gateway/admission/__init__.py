"""Who calls and whether a request is let in: keys, addresses, limits, budgets, and the estimate they are checked against."""
