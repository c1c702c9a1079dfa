# What all pages share.
site-name = CeKR
skip-to-content = Skip to content
simulator-notice = A simulator. Not affiliated with MOK, NLB, Visa or Rekono; there are no real cards.
home-title = CeKR prepaid card
home-words = Manage your card: online purchases, payments abroad and cashpoints, the lock, and loads.
back-home = To the start
not-found-title = There is no such page
not-found-words = The address may be misspelt, or the page is gone.
