"""Which candidate goes to which worker, and when again: knows neither Ray nor the clock."""
