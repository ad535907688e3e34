"""What scores on a sample of examples allow one to say: intervals, comparisons, a verdict."""
