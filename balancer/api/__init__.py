"""What people may ask of the balancer and have it do, as functions over store and board.

The command line and the HTTP side are two ways to the same functions: each is given a `Scene`, answers with an
`Answer`, and says no with an error whose message is for people. No function here knows who transports it.
"""
