# Kar je skupno vsem stranem.
site-name = CeKR
skip-to-content = Na vsebino
simulator-notice = Simulator. Ni povezan z MOK, NLB, Visa ali Rekono; pravih kartic ni.
back-home = Na začetno stran
not-found-title = Te strani ni
not-found-words = Naslov morda ni pravilno zapisan ali pa strani ni več.
menu = Meni
menu-sign-in = Prijava
menu-load = Polnjenje
menu-fee = Dvig gotovine
language = Jezik
help-by-phone = Izgubljena ali ukradena kartica, vprašanja:
home-title = Predplačniška kartica CeKR
home-words = Kartica Mestne občine Kranj za nakupe v trgovinah, na spletu in v tujini. Porabite lahko le toliko, kolikor ste nanjo naložili. Tukaj jo upravljate.
home-register = Prva uporaba
home-load = Napolni kartico
home-ticks-title = Vi odločate, kje plačuje
home-ticks-words = Spletni nakupi, plačila v tujini in dvigi na bankomatih so vsak na svojem stikalu. Sprememba velja že pri naslednjem plačilu.
home-lock-title = Zaklep z enim dotikom
home-lock-words = Kartice ne najdete? Zaklenite jo takoj in jo odklenite, ko jo najdete. Medtem ne odobrimo nobenega plačila.
home-load-title = Polni jo lahko kdor koli
home-load-words = Z drugo kartico, s plačilnim nalogom UPN s kodo QR ali z gotovino. Potrebna sta le MOK ID in zadnjih šest števk s hrbtne strani kartice.
home-cash-title = Dvig gotovine je drag
home-cash-words = Dvig na bankomatu stane 5 % zneska, najmanj pa 15 €. V trgovini plačate s kartico brez nadomestila.
home-cash-link = Izračunajte, koliko stane dvig
home-lost-title = Ste kartico izgubili ali vam je bila ukradena?
home-lost-words = Prijavite se in jo zaklenite ali pokličite
failed-conflict-title = Tega zdaj ni mogoče narediti
failed-forbidden-title = Zahteva ni bila sprejeta
failed-forbidden = Zahteva ni prišla z naše strani ali pa je seja medtem potekla. Odprite stran znova in poskusite še enkrat.
failed-form = Obrazec ni bil v celoti oddan. Odprite stran znova in poskusite še enkrat.
failed-amount = Znesek ni pravilen.
failed-limit = Znesek presega omejitev kartice.
failed-state = Stanje kartice tega ne dovoljuje.
failed-internal-title = Nekaj je šlo narobe
failed-internal = Napaka je na naši strani in je zabeležena. Nič se ni spremenilo.
failed-later-title = Poskusite čez nekaj trenutkov
failed-later = Zahteve zdaj ne moremo obdelati. Nič se ni spremenilo.
failed-too-many-title = Preveč poskusov
failed-too-many = Zaradi varnosti poskusite znova čez 15 minut.
failed-unprocessable-title = Zahteve ne razumemo
menu-cards = Kartica
menu-notices = Obvestila
menu-notices-new = { $count ->
    [one] { $count } novo
    [two] { $count } novi
    [few] { $count } nova
   *[other] { $count } novih
 }
menu-sign-out = Odjava
home-my-card = Na mojo kartico
menu-devices = Varnost
