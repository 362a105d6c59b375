"""Programs that hold leases: small processes that import nothing but the standard library and sanlock's binding."""
