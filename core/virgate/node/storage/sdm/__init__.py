"""Work on the data of volumes by any host of a pool, without its SPM (spec xmlrpc-storage 11).

Several hosts may want the same volume: its lease on the domain and its generation keep them apart.
"""
