# The page that a browser sees while the holder confirms a purchase online.
acs-title = Confirming a purchase online
acs-waiting = Confirm the purchase in the app on your device.
acs-waiting-hint = Check who is paid and how much. You have five minutes to confirm; this page then goes on by itself.
acs-payee = Payee
acs-amount = Amount
acs-cancel = Cancel the purchase
acs-ended-approved = The purchase is confirmed.
acs-ended-denied = The purchase was refused. The card was not charged.
acs-ended-expired = The time to confirm is over. The card was not charged.
acs-ended-failed = The purchase could not be confirmed. The card was not charged.
acs-back = Back to the shop
acs-fault-title = The purchase cannot be confirmed
acs-fault-unknown = This purchase is not known, or its time is over.
acs-fault-message = The shop sent a message that cannot be understood.
acs-fault-hint = Go back to the shop and try again. The card was not charged.
