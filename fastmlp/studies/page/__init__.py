"""Tables, verdicts, figures and the page of a study."""
