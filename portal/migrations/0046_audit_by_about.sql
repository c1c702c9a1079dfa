-- A card's page at the desk shows what was changed about it.
CREATE INDEX audit_by_about ON audit (about, number);
