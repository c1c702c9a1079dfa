# Smart Kranj: the card on one page, and the advantage programme.
menu-kranj = Smart Kranj
kranj-title = Smart Kranj
kranj-about = The CeKR card on one page: balance, switches, loads and the advantage programme.
kranj-load-title = Load the card
kranj-load-by-card = Load with another card
kranj-points-title = Advantage programme
kranj-no-programme = There is no advantage programme now.
kranj-count = { $count ->
    [one] { $count } point
   *[other] { $count } points
 }
kranj-pending = { $count ->
    [one] About { $count } more point is on its way for purchases that are not posted yet.
   *[other] About { $count } more points are on their way for purchases that are not posted yet.
 }
kranj-expiring = { $count ->
    [one] { $count } point is good until { $day }.
   *[other] { $count } points are good until { $day }.
 }
kranj-tier = Your tier:
kranj-tier-basic = basic
kranj-tier-silver = silver
kranj-tier-gold = gold
kranj-next = { $tier ->
    [gold] { $count ->
        [one] { $count } more point within twelve months makes it gold.
       *[other] { $count } more points within twelve months make it gold.
     }
   *[silver] { $count ->
        [one] { $count } more point within twelve months makes it silver.
       *[other] { $count } more points within twelve months make it silver.
     }
 }
kranj-history-title = How the points came
kranj-history-none = You have not collected points yet.
kranj-history-all = All changes of points
kranj-earned = Purchase
kranj-earned-at = Purchase: { $name }
kranj-taken-back = Purchase given back
kranj-expired = Points expired
kranj-good-until = Good until { $day }
kranj-merchants-title = Where you collect points
kranj-merchants-all = All merchants of the programme
kranj-merchants-none = No merchant of the programme is called that.
kranj-merchants-more = There are more. Type a part of a name to find them.
kranj-rules = Points come when a purchase is posted. Cash, fees and loads bring none; when a purchase is given back, its points go.
kranj-search = Find a merchant
kranj-search-do = Search
kranj-earns-a-euro = { $count ->
    [one] { $count } point for each euro
   *[other] { $count } points for each euro
 }
kranj-earns = { $count ->
    [one] { $count } point for each { $money }
   *[other] { $count } points for each { $money }
 }
kranj-all-of-business = all merchants of this kind
kranj-purchase-max = { $count ->
    [one] at most { $count } point a purchase
   *[other] at most { $count } points a purchase
 }
kranj-day-max = { $count ->
    [one] at most { $count } point a day
   *[other] at most { $count } points a day
 }
kranj-from = for purchases from { $day }
kranj-until = for purchases until { $day }
kranj-back = Back to Smart Kranj
kranj-to-card = All transactions, limits and details of the card
kranj-install = Your browser's menu can add this page to the home screen. It keeps nothing about the card on the device.
