"""Tables that answer what people ask of the facts."""
