"""What a tick does: bars, session totals, indicators and hot state of one lane. The way in is ``state.LaneState``."""
