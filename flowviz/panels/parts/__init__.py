"""What several panels are made of: choosing a target, choosing a flow, training it live."""
