-- The role of those who find out whose money it is has a wider name, for its desk has more to do.
UPDATE operator SET roles = REPLACE(roles, 'reconciliation', 'finance');
