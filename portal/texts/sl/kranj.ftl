# Smart Kranj: kartica na eni strani in program ugodnosti.
menu-kranj = Smart Kranj
kranj-title = Smart Kranj
kranj-about = Kartica CeKR na eni strani: stanje, stikala, polnjenje in program ugodnosti.
kranj-load-title = Polnjenje
kranj-load-by-card = Napolni z drugo kartico
kranj-points-title = Program ugodnosti
kranj-no-programme = Program ugodnosti zdaj ne poteka.
kranj-count = { $count ->
    [one] { $count } točka
    [two] { $count } točki
    [few] { $count } točke
   *[other] { $count } točk
 }
kranj-pending = { $count ->
    [one] Na poti je še predvidoma { $count } točka za nakupe, ki še niso poknjiženi.
    [two] Na poti sta še predvidoma { $count } točki za nakupe, ki še niso poknjiženi.
    [few] Na poti so še predvidoma { $count } točke za nakupe, ki še niso poknjiženi.
   *[other] Na poti je še predvidoma { $count } točk za nakupe, ki še niso poknjiženi.
 }
kranj-expiring = { $count ->
    [one] { $count } točka velja do { $day }.
    [two] { $count } točki veljata do { $day }.
    [few] { $count } točke veljajo do { $day }.
   *[other] { $count } točk velja do { $day }.
 }
kranj-tier = Vaša stopnja:
kranj-tier-basic = osnovna
kranj-tier-silver = srebrna
kranj-tier-gold = zlata
kranj-next = { $tier ->
    [gold] { $count ->
        [one] Do zlate stopnje vam v dvanajstih mesecih manjka { $count } točka.
        [two] Do zlate stopnje vam v dvanajstih mesecih manjkata { $count } točki.
        [few] Do zlate stopnje vam v dvanajstih mesecih manjkajo { $count } točke.
       *[other] Do zlate stopnje vam v dvanajstih mesecih manjka { $count } točk.
     }
   *[silver] { $count ->
        [one] Do srebrne stopnje vam v dvanajstih mesecih manjka { $count } točka.
        [two] Do srebrne stopnje vam v dvanajstih mesecih manjkata { $count } točki.
        [few] Do srebrne stopnje vam v dvanajstih mesecih manjkajo { $count } točke.
       *[other] Do srebrne stopnje vam v dvanajstih mesecih manjka { $count } točk.
     }
 }
kranj-history-title = Promet točk
kranj-history-none = Točk še niste zbirali.
kranj-history-all = Ves promet točk
kranj-earned = Nakup
kranj-earned-at = Nakup: { $name }
kranj-taken-back = Vračilo nakupa
kranj-expired = Točkam je potekla veljavnost
kranj-good-until = Velja do { $day }
kranj-merchants-title = Kje zbirate točke
kranj-merchants-all = Vsi trgovci v programu
kranj-merchants-none = Med trgovci v programu takega ni.
kranj-merchants-more = Trgovcev je več. Vpišite del imena, da jih najdete.
kranj-rules = Točke dobite, ko je nakup poknjižen. Dvigi gotovine, nadomestila in polnjenja ne prinašajo točk; ob vračilu nakupa se točke odštejejo.
kranj-search = Poišči trgovca
kranj-search-do = Išči
kranj-earns-a-euro = { $count ->
    [one] { $count } točka za vsak evro
    [two] { $count } točki za vsak evro
    [few] { $count } točke za vsak evro
   *[other] { $count } točk za vsak evro
 }
kranj-earns = { $count ->
    [one] { $count } točka na { $money }
    [two] { $count } točki na { $money }
    [few] { $count } točke na { $money }
   *[other] { $count } točk na { $money }
 }
kranj-all-of-business = vsi trgovci te vrste
kranj-purchase-max = { $count ->
    [one] največ { $count } točka na nakup
    [two] največ { $count } točki na nakup
    [few] največ { $count } točke na nakup
   *[other] največ { $count } točk na nakup
 }
kranj-day-max = { $count ->
    [one] največ { $count } točka na dan
    [two] največ { $count } točki na dan
    [few] največ { $count } točke na dan
   *[other] največ { $count } točk na dan
 }
kranj-from = za nakupe od { $day }
kranj-until = za nakupe do { $day }
kranj-back = Nazaj na Smart Kranj
kranj-to-card = Ves promet, omejitve in podatki kartice
kranj-install = Stran lahko v meniju brskalnika dodate na začetni zaslon telefona. Na napravi o kartici ne hrani ničesar.
