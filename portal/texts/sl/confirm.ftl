# Potrjevanje spletnih nakupov.
menu-confirmations = Potrjevanje
confirm-title = Potrjevanje nakupov
confirm-one-title = Spletni nakup
confirm-none = Noben spletni nakup ne čaka na vašo potrditev. Ko trgovina zanjo zaprosi, se nakup pokaže tukaj.
confirm-waiting-count = { $count ->
    [0] Na potrditev ne čaka noben nakup.
    [one] Na potrditev čaka { $count } nakup.
    [two] Na potrditev čakata { $count } nakupa.
    [few] Na potrditev čakajo { $count } nakupi.
   *[other] Na potrditev čaka { $count } nakupov.
 }
confirm-notice = { $count ->
    [one] { $count } spletni nakup čaka na vašo potrditev
    [two] { $count } spletna nakupa čakata na vašo potrditev
    [few] { $count } spletni nakupi čakajo na vašo potrditev
   *[other] { $count } spletnih nakupov čaka na vašo potrditev
 }
confirm-asks = Prejemnik plačila
confirm-card = Kartica
confirm-country = Država trgovca
confirm-shop = Spletni naslov
confirm-until = Potrdite do
confirm-with = Potrditev z napravo { $device }.
confirm-approve = Potrdi nakup
confirm-refuse = Zavrni nakup
confirm-back = Vsi nakupi, ki čakajo na potrditev
confirm-cancelled-here = Naprava nakupa ni potrdila. Poskusite znova z napravo, ki je povezana s to kartico, ali nakup zavrnite.
confirm-begin-refused = Nakup ne čaka več na potrditev. Odprite stran znova.
confirm-elsewhere = Nakup potrdite pri svojem ponudniku identitete. Tukaj ga lahko zavrnete.
confirm-no-device = S kartico ni povezana naprava za potrjevanje, zato nakupa ni mogoče potrditi. Izberite jo spodaj na strani Potrjevanje.
confirm-late = Nakup ne čaka več na potrditev, ker je čas zanjo potekel. Denar se ni premaknil. V trgovini začnite plačilo znova.
confirm-answered = Na ta nakup ste že odgovorili.
confirm-was-refused = Ta nakup je bil zavrnjen. Če ga še želite, v trgovini začnite plačilo znova.
confirm-was-cancelled = Plačilo je bilo v trgovini preklicano.
confirm-question-over = Na to vprašanje je že bilo odgovorjeno ali pa ne velja več. Odprite nakup in ga potrdite znova.
confirm-question-other = Odgovor naprave velja za drug nakup. Odprite nakup in ga potrdite znova.
confirm-proof-wrong = Potrditev naprave ni pravilna. Po petih zaporednih napakah potrjevanje s to kartico ustavimo.
confirm-blocked = Potrditev je petkrat zapored spodletela, zato smo potrjevanje s to kartico za en dan ustavili. Če to niste bili vi, pokličite +386 (0)14 772 000.
confirm-card-off = Kartica je zaklenjena ali ni v uporabi, zato nakupa z njo ni mogoče potrditi.
identity-passkey-busy = Ta naprava je hkrati potrdila nekaj drugega. Poskusite znova.
confirm-state-created = Trgovina je zaprosila za potrditev. Nakup bo vsak hip čakal na vas.
confirm-state-pending = Nakup čaka na vašo potrditev.
confirm-state-approved = Nakup ste potrdili. Vrnite se v trgovino.
confirm-state-sealed = Nakup ste potrdili. Vrnite se v trgovino.
confirm-state-consumed = Nakup ste potrdili in je plačan.
confirm-state-denied = Nakup je zavrnjen. Denar se ni premaknil.
confirm-state-expired = Čas za potrditev je potekel. Denar se ni premaknil.
confirm-state-cancelled = Plačilo je bilo preklicano. Denar se ni premaknil.
confirm-devices-title = Naprava za potrjevanje
confirm-devices-words = Nakupe z vsako kartico potrjuje ena naprava. Druge naprave jih ne morejo potrditi, tudi če ste na njih prijavljeni.
confirm-device-of = Kartica •••• { $digits }
confirm-device-is = Nakupe potrjuje naprava { $device }.
confirm-device-none = Kartica nima naprave za potrjevanje. Nakupov, ki jih je treba potrditi, z njo ni mogoče plačati.
confirm-device-unknown = Te naprave ni med vašimi napravami. Odprite stran znova in izberite drugo.
confirm-device-choose = Naprava
confirm-device-bind = Poveži s kartico
confirm-device-unbind = Prekini povezavo s kartico
