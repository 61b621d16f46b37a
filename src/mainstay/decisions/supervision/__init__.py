"""What supervisors decide: whom to start, stop and restart, and when to give up."""
