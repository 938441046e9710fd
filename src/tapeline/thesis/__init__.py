"""From what was collected on a ticker to a dossier: facts, questions, evidence, synthesis."""
