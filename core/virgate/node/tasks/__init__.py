"""Long jobs of storage: their states, journal, rollback and locks (spec xmlrpc-storage 5 and 6).

`manager.Tasks` is the front, `task.Task` what a running job holds in its hands, `states` the pure state machine,
`store` the journal on the master domain, `recoveries` the functions a rollback may name, `locks` the reader/writer
locks. What a job does is not here: callers pass coroutines.
"""
