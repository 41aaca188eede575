"""`sched tui`: workflows, their histories, workers and the cluster, in a terminal.

    model/      what is shown, as plain data; imports neither textual nor the client
    link        the connection: lost, tried again, back
    acting      what can be done to workflows, one or many
    messages    what the parts tell each other
    widgets/    a folder for each area of a screen, a file for each widget
    screens/    a file for each screen

Everything comes from the SDK's client. Data flows one way: a screen reads through
the link, hands what it read to its models, and its widgets paint from these.
Nothing but the lines in sight is ever painted, so thousands cost what thirty do.
"""
