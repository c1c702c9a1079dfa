# Kar je skupno vsem stranem.
site-name = CeKR
skip-to-content = Na vsebino
simulator-notice = Simulator. Ni povezan z MOK, NLB, Visa ali Rekono; pravih kartic ni.
home-title = Predplačniška kartica CeKR
home-words = Upravljajte svojo kartico: plačila na spletu, v tujini in dvige na bankomatih, zaklep in polnjenje.
back-home = Na začetno stran
not-found-title = Te strani ni
not-found-words = Naslov morda ni pravilno zapisan ali pa strani ni več.
