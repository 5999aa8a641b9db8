"""What a person looks at: the report of a run, figures, example clips, and verdicts in words.

Change here how something is shown; what is computed from predictions stands in `metrics`.
"""
