# Stran, ki jo brskalnik vidi, medtem ko imetnik potrjuje spletni nakup.
acs-title = Potrditev spletnega nakupa
acs-waiting = Nakup potrdite v aplikaciji na svoji napravi.
acs-waiting-hint = Preverite prejemnika in znesek. Za potrditev imate pet minut; ta stran se nato sama nadaljuje.
acs-payee = Prejemnik
acs-amount = Znesek
acs-cancel = Prekliči nakup
acs-ended-approved = Nakup je potrjen.
acs-ended-denied = Nakup je zavrnjen. Kartica ni bila bremenjena.
acs-ended-expired = Čas za potrditev je potekel. Kartica ni bila bremenjena.
acs-ended-failed = Nakupa ni bilo mogoče potrditi. Kartica ni bila bremenjena.
acs-back = Nazaj v trgovino
acs-fault-title = Nakupa ni mogoče potrditi
acs-fault-unknown = Tega nakupa ne poznamo, ali pa je čas zanj že potekel.
acs-fault-message = Trgovina je poslala sporočilo, ki ga ni mogoče razumeti.
acs-fault-hint = Vrnite se v trgovino in poskusite znova. Kartica ni bila bremenjena.
