"""Reading, evaluating and patching xlsx workbooks without touching what is not ours."""
