"""The ground: nouns, outcomes, time, configuration, errors. Imports no other room."""
