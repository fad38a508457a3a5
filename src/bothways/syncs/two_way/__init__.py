"""The parts of the two-way marketing list sync: who is concerned, who is who, fields, lists."""
