"""What makes one evaluation better than another.

It may import core alone: journal, search, evaluation and reports all compare by it, so it knows none of them.
"""
