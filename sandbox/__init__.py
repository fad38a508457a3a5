"""The vendors' APIs over HTTP, for tests, benchmarks and the demo.

`python -m sandbox` serves every vendor package below this one. The sandbox shares no code with
Bothways, so that a misreading of a vendor is not made twice in the same words.
"""
