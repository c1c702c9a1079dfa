# Confirming online purchases.
menu-confirmations = Confirmations
confirm-title = Confirm purchases
confirm-one-title = Online purchase
confirm-none = No online purchase is waiting for you. When a shop asks for your confirmation, the purchase appears here.
confirm-waiting-count = { $count ->
    [0] No purchase is waiting for you.
    [one] { $count } purchase is waiting for you.
   *[other] { $count } purchases are waiting for you.
 }
confirm-notice = { $count ->
    [one] { $count } online purchase is waiting for your confirmation
   *[other] { $count } online purchases are waiting for your confirmation
 }
confirm-asks = You are about to pay
confirm-card = Card
confirm-country = Shop’s country
confirm-shop = Web address
confirm-until = Confirm by
confirm-with = Confirm with the device { $device }.
confirm-approve = Confirm the purchase
confirm-refuse = Refuse the purchase
confirm-back = All purchases that are waiting
confirm-cancelled-here = The device did not confirm. Try again with the device that belongs to this card, or refuse the purchase.
confirm-begin-refused = The purchase is not waiting any more. Open the page again.
confirm-elsewhere = Confirm this purchase with your identity provider. You can refuse it here.
confirm-no-device = The card has no device that confirms, so this purchase cannot be confirmed. Choose one on the Confirmations page.
confirm-late = The purchase is not waiting any more: its time is over. No money has moved. Start the payment in the shop again.
confirm-answered = You have answered this purchase already.
confirm-was-refused = This purchase was refused. If you still want it, start the payment in the shop again.
confirm-was-cancelled = The payment was cancelled in the shop.
confirm-question-over = This question was answered already or is not valid any more. Open the purchase and confirm it again.
confirm-question-other = The device’s answer is about another purchase. Open the purchase and confirm it again.
confirm-proof-wrong = The device’s answer is not right. After five failures in a row, confirmations of this card are stopped.
confirm-blocked = Five confirmations failed in a row, so confirmations of this card are stopped for a day. If it was not you, call +386 (0)14 772 000.
confirm-card-off = The card is locked or not in use, so purchases with it cannot be confirmed.
identity-passkey-busy = This device answered something else at the same moment. Try again.
confirm-state-created = The shop has asked for a confirmation. The purchase will be waiting for you in a moment.
confirm-state-pending = The purchase is waiting for your confirmation.
confirm-state-approved = You have confirmed the purchase. Go back to the shop.
confirm-state-sealed = You have confirmed the purchase. Go back to the shop.
confirm-state-consumed = You have confirmed the purchase, and it is paid.
confirm-state-denied = The purchase is refused. No money has moved.
confirm-state-expired = The time to confirm is over. No money has moved.
confirm-state-cancelled = The payment was cancelled. No money has moved.
confirm-devices-title = Device that confirms
confirm-devices-words = One device confirms the purchases of each card. No other device can, even if you are signed in there.
confirm-device-of = Card •••• { $digits }
confirm-device-is = Purchases are confirmed with { $device }.
confirm-device-none = The card has no device that confirms. Purchases that need a confirmation cannot be paid with it.
confirm-device-unknown = This is none of your devices. Open the page again and choose another.
confirm-device-choose = Device
confirm-device-bind = Use for this card
confirm-device-unbind = Stop using it for this card
