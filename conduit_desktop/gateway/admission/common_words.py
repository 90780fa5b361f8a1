"""Words that OpenAI's tokenizer has as one token, in small letters with a space before them: the common ones of prose and code.

Of the words of four letters and more in `o200k_base` (https://github.com/openai/tiktoken, MIT), those among its first 60,000 tokens
that also occur in the English documents and the code of a Debian system.
"""

from __future__ import annotations

from functools import lru_cache

_WORDS = b"""
abandon abandoned ability able abnormal abort about above absence absent absolute absolutely absorb abstract abuse acab
academic acceleration accent accept acceptable acceptance accepted accepting accepts access accessed accessibility accessible
accessing accident accidents accommodate accompanied accompany accompanying accomplish accomplished accord accordance
according accordingly account accounting accounts accum accuracy accurate accurately ache achieve achieved achieving
acknowledge acknowledged acquire acquired acquiring acquisition across acting action actions activate activated activation
active actively activities activity actor actors acts actual actually acute adam adapt adaptation adapted adapter added adding
addition additional additionally addr address addressed addresses addressing adds adequate adjacent adjust adjustable adjusted
adjustment adjustments admin administration administrative administrator admission adopt adopted adoption advance advanced
advances advantage advantages advent advertised advertisement advertisements advertising advice advise advised aesthetic
affair affect affected affecting affects affiliated affiliates afraid after afterwards again against agency agent agents ages
aggregate aggressive agree agreed agreement agreements ahead aims airport alan alarm alert alerts algo algorithm algorithms
alias alien align aligned alignment alike alive allegedly allen alloc allocate allocated allocation allow allowance allowed
allowing allows alloy almost alone along alongside alpha alphabet already also alter altered alternate alternative
alternatives although alto altogether alum always amazing amazon ambient amend american amet amin among amongst amount amounts
ampl anal analog analyse analyses analysis analyze analyzed analyzing anchor ancient anders andre android ange angle angles
angular anim animate animated animation animations anime annotation announce announced announcement annoy annoying anonymous
another answer answered answering answers anti anticipated antique anybody anymore anyone anything anytime anyway anywhere
apart apparent apparently appeal appear appearance appearances appeared appearing appears append apple applicable application
applications applied applies apply applying appreciate appreciated approach approached approaches appropriate appropriately
approval approve approved approx approximately apps april arab arbitrary arch architectural architecture archive archives area
areas aren arena argc argparse args argued argument arguments argv arise arising arma armor around arrange arranged
arrangement arrangements array arrays arrival arrive arrived arrives arriving arrow arte article articles artificial artistic
aside asked asking asks aspect aspects assemble assembled assembly assert assertion assess asset assets assign assigned
assignment assignments assist assistance assistant assisting assists associate associated associates association associations
assume assumed assumes assuming assumption assumptions assure assured async atac atend atom atomic attach attached attachment
attack attacked attacks attempt attempted attempting attempts attend attention attitude attorneys attr attraction attractive
attribute attributed attributes attrs audience audiences audio audit augment august auth authentication author authorities
authority authorization authorized authors auto automated automatic automatically automation autumn avail availability
available avatar average avoid avoided avoiding await aware awareness away awesome awful awkward axes axis baba back backed
backend background backgrounds backing backs backup backward backwards badge badly bags bail balance balanced ball band bands
bandwidth bang bank banned banner bare barely barr barrier barriers bars base based baseline bases bash basic basically basics
basis batch bath batteries battery battle bean bear bearing beat beaten beautiful beauty became because become becomes
becoming been beer before began begin beginners beginning begins begun behalf behavior behavioral behaviors behaviour behind
being beings belief believe believed believes bell belong belonging belongs below belt bench benchmark beneath beneficial
benefit benefits bero besides best beta better between beyond bias bigger biggest bill billion bills binary bind binding bins
bird birds birth bite bitmap bits black blame blank blanket blast blend bless blessed blessing blind blob block blocked
blocking blocks blog blogs blood blow blue blur board boards boat bodies body bois bold bomb bond bone bonus book books bool
boolean boost boot bootstrap border borders boring borrow boss both bother bottom bounce bound boundaries boundary bounds
boxes brace bracket brain branch branches brand brands breach break breakdown breaking breaks breve brew brick bridge brief
briefly bright brightness bring bringing brings broad broadcast broader broke broken broker brother brought brown browse
browser browsers browsing brush buck bucket buff buffer bugs build builder building builds built bulk bull bullet bump bunch
bundle burden burn business bust busy butter button buttons buzz bypass byte bytes cache cached cafe cake calc calculate
calculated calculation calculations calculator calendar call callback called caller calling calls came camera campo canada
cancel cancellation cancelled cand candidate candidates candy cannot canon cant canvas capabilities capability capable
capacity capital caps caption capture captured carbon card cards care careful carefully cares cargo carp carried carries carry
carrying case cases casi cast casting castle casual catalog catch catching categories category cater catering cats caught
cause caused causes causing caution ceil ceiling cell cells cellular cent center centered central century cerr cert certain
certainly certificate certificates certification certified chain chains challenge challenges chan chance chances chang change
changed changes changing channel channels chap chapter char character characteristic characteristics characterized characters
charge charged charges chars charset chart chase chat cheap cheaper check checkbox checked checking checkout checks chem
chicken child children chin china chip chips chocolate choice choices chol choose choosing chose chosen christ chrome chunk
chunks church cipher circ circle circuit circular circumstances cited citizen city civil claim claimed claiming claims clang
clarity class classes classic classification classified clause clay clean cleaned cleaner cleaning cleans cleanup clear
cleared clearing clearly clever click clicked clicking clicks client clients clip clips cljs clock clone close closed closely
closer closest closing closure cloth cloud club clue cluster clusters coat code codes coding coeff coff coffee coin cold cole
collaboration collaborative collapse collect collected collecting collection collections collective collector collision colon
color colored colorful coloring colors colour colours cols colspan column columns comb combination combinations combine
combined combines combining combo come comes comfortable coming comm command commander commands commence comment commentary
commented commenting comments commercial commit commitment committed committee common commonly communicate communication
communications communities community comp compact companies companion company comparable compare compared comparing comparison
compat compatibility compatible compensation compete competent competing competition compilation compile compiled compiler
compl complain complaint complaints complement complete completed completely completing completion complex complexity
compliance complicated complications compliment comply component components compose composed composite composition compound
compr comprehensive compress compressed compression comprised comprises compromise compute computed computer computers
computing concentration concept conception concepts concern concerned concerning concerns conclude concluded conclusion
conclusions concrete concurrent cond condition conditions conduct conducted cone conf confer conference confidence confident
confidential config configuration configurations configure configured confirm confirmation confirmed conflict conflicts
conform confused confusing confusion conj conjunction conn connect connected connecting connection connections connectivity
connector connects cons conscious consectetur consecutive consensus consent consequence consequences conservative consider
considerable considerably consideration considerations considered considering considers consist consistency consistent
consistently consisting consists console const constant constantly constants constexpr constitute constraint constraints
construct constructed construction constructor consult consulting consume consumed consumer consumers consuming consumption
cont contact contacted contacting contacts contain contained container containers containing contains contemporary content
contents contest context contexto continually continue continued continues continuing continuous continuously contra contract
contracts contrary contrast contrib contribute contributed contributing contribution contributions contributor contributors
control controlled controller controllers controlling controls controversial conv convenience convenient conveniently
convention conventional conversation conversion convert converted converter converting convey convinced cook cooked cookie
cookies cooking cool cooper cooperation coord coordinate coordinates coordination coordinator coords cope copied copies copy
copyright core cores corner corners corp corporation corr correct correction correctly correl correlation correspond
corresponding corrupt corruption cors cort cosmetic cost costly costs could couldn coun council count counter counting
countries country counts county couple course courses court courtesy courts cousin cover coverage covered covering covers
craft crafted crap crash crazy cream creat create created creates creating creation creative creator cred credentials credit
credits crit criteria critical cron crop cross crossed crossing crucial cruise cruz crypt crypto crystal ctrl cube cultural
culture cups cure curious curl curr currency current currently curs cursor curve custom customer customers customize
customized cuts cutting cyber cycle cycles cycling cylinder daily dall damage damaged damages dance danger dangerous dank dann
dans dari dark dash data database databases dataset date dated dates datetime datum days dead deadline deal dealing deals
dealt death debt debug decade decades decay december decent decid decide decided decides deciding decimal decision decisions
decl declaration declarations declare declared decline decode decoded decoder decorated decorating decoration decorative
decrease decreased dedicated dedication deed deemed deep deeper deeply default defaults defeat defect defects defence defend
defendant defense defensive deferred define defined defines defining definitely definition definitions degree degrees deja
delay delayed delays dele delegate delete deleted delicate deliver delivered delivers delivery dell delta demand demanding
demo demon demonstrate demonstrated demonstrates demonstration denied dense density deny department depend dependencies
dependency dependent depending depends deploy deployed deployment deposits depth deriv derived desc descend descr describ
describe described describes describing description descriptions descriptor deserve design designated designed designer
designers designing designs desirable desire desired desires desktop despite dest destination destinations destroy destroyed
destruct destruction detail detailed details detect detected detection detector determ determination determine determined
determines determining develop developed developer developers developing development developments device devices devoted
diagnosed diagnosis diagnostic diagram dial dialog diam diameter diamond dias dice dict dictionary didn died dies diet diff
differ difference differences different differently difficult difficulties difficulty digest digit digital digits dimension
dimensions dine ding dire direct directed direction directions directly director directories directory dirty disable disabled
disagree disappear disappeared disaster disc discipline disclaimer disclosure disconnect discount discover discovered
discovering discovery discuss discussed discusses discussing discussion discussions disk dismiss disorder disp dispatch
display displayed displaying displays disposal dispose disposition disrupt dist distance distances distant distinct
distinction distinguish distr distrib distribute distributed distribution district disturb dive diversity divert divide
divided divine diving division django docs doctor document documentary documentation documented documents does doesn dogs
doing dollar dolor domain domains dominant dominated donate donated donation donations done dont door dots double doubt dove
down download downloaded downloading downloads dozen dozens draft drag dragon drain dramatic dramatically draw drawing
drawings drawn draws dream drew drift drinking drive driven driver drivers drives drop dropped dropping drops dtype dual dumb
dummy dump duplicate durable duration during dust duty dying dynamic each eager earlier earliest early earth ease easier
easiest easily east eastern easy eaten eating echo ecosystem edge edges edit edited editing edition editor editorial editors
educated effect effective effectively effectiveness effects efficiency efficient efficiently effort efforts eggs eigen eight
either elapsed elect elected election electric electronic electronics elegant elem element elementary elements elif eligible
eliminate elit elle else elseif elsewhere email emails embed embedded emerg emerge emergency emission emit emph emphasis
employ employed employees employer empty enable enabled enables enabling encode encoded encoder encoding encounter encountered
encourage encouraged encourages encrypt encrypted encryption ended endif ending endl endless endorse endpoint ends energy
enforce enforcement engine engineer engineering engines english engr enhance enhanced enhancement enhancing enim enjoy
enjoyment enormous enough enrich ensure ensures ensuring enter entered entering enterprise enterprises enters entertaining
entertainment enthusiasm entire entirely entities entitled entity entries entry enum enumerate envelope environ environment
environmental environments epic epoch equal equality equally equals equation equipment equipped equivalent error errors escape
especially esse essence essential essentially establish established establishing establishment estimate estimated estimates
eten ethical euro europe eval evaluate evaluated evaluating evaluation even evening event events eventual eventually ever
every everybody everyday everyone everything everywhere evidence evident evil evolved exact exactly exam examination examine
examined example examples exceed excel excellent except exception exceptional exceptions excess excessive exchange exchanges
exciting excl exclude excluded exclusive exclusively excuse exec execute executed executing execution executor exercise
exercises exhaust exhibit exist existed existence existing exists exit exotic expand expanded expanding expansion expect
expectation expectations expected expecting expects expense expenses expensive experience experienced experiment experimental
experiments expert expiration expire expired expires expl explain explained explaining explains explanation explicit
explicitly explode exploit exploration explore explored exploring explosion exponent export exports expose exposed exposure
expr express expressed expression expressions extend extended extending extends extension extensions extensive extent extern
external extra extract extracted extraction extras extreme extremely eyes face facebook faced faces facilitate facilities
facility facing fact factor factors factory facts fade fail failed failing fails failure failures fair fairly faith faithful
fake fall falling falls false familiar families family famous fancy fare farm farms fashion fast faster fastest fatal fault
favor favorite favour favourite fear feasible feature featured features featuring federal feed feedback feeding feeds feel
feeling feelings feels fees fell felt female fence fetch fewer fiction field fields fifth fifty figure figured figures file
filed filename filepath files filing fill filled filling film filter filtered filtering filters final finally financial find
finding findings finds fine finger fingers finish finished finishes finishing fire fired firing firmly firmware first fish
fitness fits fitting five fixed fixing fixture fixtures flag flags flash flask flat flavor flavors flaw flex flexibility
flexible flight flip float floating flood floor flow flows flush flux fname focal focus focused fold folder folders folks
follow followed following follows font fonts fool foot footer fopen fora force forced forces forcing fore foreach foreign
forest forever forget forgot forgotten fork form formal format formats formatted formatter formed former formerly forming
forms formula fort forte forth fortunate forty forum forums forward foster found foundation four fourth fprintf fraction frag
fragment frame frames framework frank free freed freedom freely freeze freq frequency frequent frequently fresh friend
friendly friends from front frozen fruit fulfill full fully func function functional functionality functioning functions
fundamental fung funk funny furnished further future futures gagn gain gained gaining gains gallery game games gamma gang gaps
garbage gate gateway gather gathered gathering gave gender gene general generally generate generated generates generating
generation generator generic generous gens gently genuine genuinely geom geometry gets getting ghost give given gives giving
glance glas glob global globally glory glow glue goal goals goede goes going gold golden gone good goods google goto gotten
governed governing government grab grabbed grace grad grade gradient gradually graduate graf grain gram grammar gran grand
grant granted grants graph graphic graphics gratis grave gravity gray great greater greatest greatly green grep grew grey grid
grip gross ground grounds group groups grow growing grown grows growth guarantee guaranteed guarantees guard guards guess
guest guid guidance guide guided guidelines guides haber habit habits hack hadn hair half halt hand handed handful handle
handled handler handlers handles handling hands handy hang hanging hans happen happened happening happens happier happily
happy hard harder hardly hardware harm harmful harness harvest hash hasn hassle hate have haven having head headed header
headers heading headline heads health heap hear heard hearing heart heavily heavy height heights held hell hello help helped
helper helpful helping helps hence here hereby herein hesitate hidden hide hiding hier high higher highest highlight
highlighted highlighting highlights highly himself hindi hint hinter hints hired hist historical history hits hitting hold
holder holders holding holds hole holes home homepage honor honored hood hook hooks hope hoped hopefully hopes hoping horizon
horizontal horrible horror horses host hosted hosting hosts hour hours house household houses hover however href html http
https huge human humans hundred hundreds hung hungry hunt hurt hybrid hyper icon icons idea ideal ideas ident identical
identification identified identifier identifies identify identifying identity idle ignore ignored illegal illustrated
illustration illustrations imag image images imagination imagine imaging immed immediate immediately immune impact impacted
impacts impl implement implementation implemented implementing implements implications implicit implied implies import
importance important importantly imported imports imposed impossible impression impro improve improved improvement
improvements improves improving inappropriate inbox inch inches incl include included includes including inclusion inclusive
incoming incorporate incorporated incorrect incr increase increased increases increasing increasingly incredibly increment
incur indeed indent independence independent independently index indexed indexes indic indicate indicated indicates indicating
indication indicator indicators indices indirect individual individually individuals induced industrial industry infer
inferior infinite influence influenced influences info inform informal information informational informations informative
informed infrastructure inger ingres inherit inherited init initial initialization initialize initialized initially initiated
initiative inject injection injury inline inner input inputs inquiry insert inserted inside insight insights insist inspect
inspection inspired inst install installation installations installed installer installing instance instanceof instances
instant instantly instead instr instruct instruction instructions instrument instruments intact integer integers integral
integrate integrated integration integrity intellectual intelligence intelligent intend intended intensity intensive intent
intention inter interact interaction interactions interactive interest interested interesting interests interface interfaces
interior intermediate intern internal international internet interpret interpretation interrupt intersection interval
intervals intervention intimate into intr intro introduce introduced introduces introducing introduction intuitive invalid
invent invention inverse invert investigate investigated investigating investigation invis invisible invite invited invoke
involve involved involvement involves involving ipsum iron irregular isinstance island islands isolated isolation isset issue
issued issues italian item items iter iteration iterations iterator itself jack jane java javax jira jobs join joined joining
joins joint jour journal journals json judge judgment judicial jump jumped junio junk jurisdiction just justify kamp kana kara
keen keep keeping keeps kend kent kept kernel keyboard keys keyword keywords kick kicked kids kill killed killing kind kinda
kinds king klass klein knew knock know knowing knowledge knowledgeable known knows kong kotlin kron kuin kwargs label labeled
labels lack lacking laid lamb lambda land landing lands landscape lane lang lange langs language languages laptop large
largely larger largest laser last lasts late later lateral latest latitude latter launch launched launching lawn laws lawsuit
layer layers laying layout lazy lead leader leading leads leaf leak lean leap learn learned learning lease least leave leaves
leaving lecture lees left legacy legal legally legend legitimate lemon lend length lengths lengthy lens lent less lesser
lesson lets letter letters letting level levels leverage liability liable liberal libraries library libre licence license
licensed licenses licensing lies life lifetime lift lifted lifting light lighter lighting lightly lightweight like likelihood
likely likes likewise lime limit limitation limitations limited limiting limits line linear linen lines link linked linking
links liquid list listed listen listener listeners listening listing listings lists lite literal literally literary literature
litigation little live lived lives living load loaded loader loading loads lobby local locale locales locally locals locate
located location locations lock locked locks logged logger logging logic logical login logo logout logs long longer longest
longitude look looked looking looks lookup loop loops loose lose losing loss losses lost lots loud love lovely loves lower
lowest luck lucky lying maar mach machine machinery machines macro made magic magical magnet magnetic magnitude mail mailing
main mainly mainstream maint maintain maintained maintaining maintains maintenance major majority make maker makes making male
malloc manage managed management manager managers manages managing mandatory manifest manner mans mant manual manually
manufacture manufacturer manufacturers many mapped mapper mapping maps marc march marco margin marginal mark marked marker
markers market marketing marketplace marks mask masks mass massage masse massive master match matched matches matching
material materials math mathematical mathematics matrix matt matter matters mature maxim maximize maximum maybe mean meaning
meaningful means meant meantime measure measured measurement measurements measures measuring meat mechanical mechanism
mechanisms media median medium meet meeting meets mega meld member members membership memcpy memo memory memset mend mentally
mention mentioned menu menus mere merely merge merged mesa mesh mess message messages meta metadata metal meter meters meth
method methods metric metrics metro mice micro micros middle midnight might migration mild miles military million millions
mind mine ming mini minim minimal minimize minimum minor minority mins mint minus minute minutes mirror miss missed missing
mistake mistakes mixed mixer mixing mixture mobile mock modal mode model modeling models moderate modern modes modification
modifications modified modifier modify module modules mold moment moments money monitor monitoring monitors mont month monthly
months moon mora moral more morning morph mort most mostly motion motivated motivation mount mountain mounted mounting mouse
move moved movement movements moves movie movies moving much mult multi multiple multiply music musical musicians must mutable
mutation mutual myself mysql mysterious naked name named namely names namespace narrow nation national nations native natur
natural naturally nature navigation near nearby nearest nearly neat necessarily necessary necessity need needed needing needle
needs negative negotiations neighbour neither nest nested network networking networks neutral never nevertheless newer newest
newly news next nice nicely nick nickname night nine nisi nobody node nodes noexcept noise none nonetheless nord norm normal
normalize normalized normally north northern notable note notebook noted notes nothing notice noticed notification
notifications notified notify notion november nowadays nowhere nuclear null nullable nullptr number numbers numeric numerical
numerous numpy nums nuts object objective objects obligation obligations observation observe observed observer obstacles
obtain obtained obtaining obvious obviously occasional occasionally occasions occupied occur occurred occurrence occurring
occurs ocean odds offer offered offering offerings offers office official officially offline offset often okay older oldest
olive omega once onclick ones ongoing onion online only onto opacity open opened opening opens oper opera operate operated
operates operating operation operational operations operator operators opinion opportunities opportunity opposed opposite
optical optim optimal optimization optimize optimized optimizer option optional options opts orange order ordered ordering
orders ordinary organise organised organization organizational organizations organize organized organizing orient orientation
orig origin original originally origins orphan orth other others otherwise ought ours ourselves outcome outcomes outdated
outer outline outlined outlook output outputs outs outside outstanding over overall overcome overflow overhead overlap overlay
override overview overwhelmed owned owner owners ownership owns pack package packages packaging packed packet packets packing
packs padding pads page pages pagination paid pain painful paint painted painter painting pair paired pairs pale palette
pandas pane panel panels panic pants paper papers para paradise paragraph parallel param parameter parameters params pare
parent parents paris parliament parse parsed parser parsing part partial partially participant participants participate
participating participation particle particular particularly parties partition partly partners partnership parts party pass
passage passed passes passing passive password past paste patch patches patent path paths patience pattern patterns pause
payable paying payload payment pays peace peak pear peek peer peers penalty pending people perc perceived percent percentage
perf perfect perfectly perform performance performances performed performing performs perhaps period periods perm permanent
permanently permission permissions permit permits permitted perp persist persistent person personal personality personally
persons perspective petit phase phases phenomenon philosophy phone photo photography photos phrase phrases physical physically
pick picked picking pickle picks pics pict picture pictures piece pieces pile pillow pilot pine ping pink pins pipe pipeline
pipes pitch pivot pixel pixels place placed placeholder placement places placing plain plan plane planes planned planning
plans planted plasma plat plates platform platforms play played player players playing plays pleasant please plenty plot plots
plug plugin plugins plumbing plural plus pocket poet poetry point pointed pointer pointers pointing points poison polar police
policies policy polish political poll polls pollution poly pond pool pools poor poorly popular popularity populate population
popup port portable portal portion portions portrait ports pose position positioned positioning positions positive possession
possibilities possibility possible possibly post postal posted posting posts potato potatoes potential potentially pound
powder power powered powerful powers practical practically practice practices prec precise precisely precision pred predicate
predict prediction pref prefer preference preferences preferred prefix preliminary prep preparation prepare prepared preparing
pres presence present presentation presented presenting presents preserve preserved president press pressed pressing pressure
pretend pretty prev prevent preventing prevention prevents preview previous previously price prim primarily primary prime
primitive prin principal principle principles print printed printer printf printing println prints prior priorities priority
priv privacy private privilege prob probability probable probably probe problem problems proc procedure procedures proceed
proceedings proceeds process processed processes processing processor prod produce produced producer produces producing
product production products prof profil profile profiles profit profitable profits prog program programme programming programs
progress progression progressive prohibited proj project projection projects prom prominent promise promised promises promote
promoted promotes promoting promotion promotional prompt promptly prone proof prop proper properly properties property
proportion proposal proposals propose proposed proprietary props pros prospective prot protect protected protecting protection
protects proto protocol protocols prototype prove proved proven proves provide provided provider providers provides providing
province provision provisions proximity proxy pthread public publication publicly publish published publisher publishers
publishing pull pulled pulling pulse pump punch punct punt purchase pure purely purple purpose purposes push pushed pushing
puts putting puzzle python quad qual qualification qualified qualify qualifying qualities quality quam quan quant quantities
quantity quantum quarter quasi queen queries query quest question questions queue quick quicker quickly quiet quietly quis
quit quite quot quote quoted quotes race races racing radical radio radius rain raise raised raises raising raison rand random
randomly range ranges ranging rank ranked ranks rapid rapidly rare rarely rast rate rates rather rating ratings ratio rational
reach reached reaches reaching react reaction read reader readers readily reading readonly reads ready real realise realistic
reality realize realized really realm reason reasonable reasonably reasoning reasons rebuild recall receipt receive received
receiver receives receiving recent recently reception recip recipe recipes recipient recipients recognised recognition
recognize recognized recommend recommendation recommendations recommended recommends record recorded recording recordings
records recover recovered recovery recreation rect rectangle recycled redirect redis redistribute reduce reduced reduces
reducing reduction refer reference referenced references referred referring refers refined reflect reflected reflection
reflects reform refresh refreshing refuse refused regard regarded regarding regardless regards regex region regional regions
register registered registering registers registration registry regression regular regularly regulation reject rejected relate
related relates relating relation relations relationship relationships relative relatively relatives relax relaxation relaxed
relaxing release released releases releasing relevant reliability reliable relies reload rely remain remainder remained
remaining remains remark remarks remedy remember remembered remind reminder remote remotely removal remove removed removes
removing renamed render rendered renderer rendering reopen repair repairs repeat repeated repeatedly replace replaced
replacement replacing replied replies reply repo report reported reportedly reporter reporters reporting reports repos
repository repr represent representation representative representatives represented representing represents repro reproduce
reproduction republic reputation request requested requesting requests require required requirement requirements requires
requiring rescue research reservation reserve reserved reserves reset reside resident resist resistance resistant resize
resolution resolve resolved resolver resort resource resources resp respect respected respective respectively respond
responded responder responding response responses responsibilities responsibility responsible responsive rest restart
restoration restore restored restrict restricted restriction restrictions result resulted resulting results resume retailers
retain retention retire retired retr retrieve retrieved retry return returned returning returns retval reuse reveal revealed
reveals reverse reversed revert review reviewed reviewing reviews revised revision revolution rewrite rgba rice rich ride
ridiculous right rights rigid ring rings rise rising risk risks river road robot robots robust role roles roll rolled rolling
roman room root roots rose rotate rotation rough roughly round rounded rounds rout route router routes routine routines
routing rows royal rule rules runner running runs runtime rust sacrifice safe safely safer safety said sail sake sale salmon
salt same samp sample samples sampling sang sans satellite satisfaction satisfied satisfy satisfying save saved saves saving
savings saying says scal scala scalar scale scales scaling scan scanf scanner scanning scary scatter scenario scenarios scene
scenes sched schedule scheduled scheduler schedules scheduling schema scheme schemes school science sciences scientific scope
score scores scratch screen screens screw script scripts scroll seal sealed seamless sean search searched searches searching
season seat second secondary seconds secret secrets sect section sections sector secure security seed seeds seeing seek
seeking seeks seem seemed seemingly seems seen sees segment segments select selected selecting selection selections selector
self sell selling semi send sender sending sends sense senses sensible sensitive sensitivity sensor sent sentence sentences
separate separated separately separation separator sept september sequ sequence sequences serial serialize serializer series
serious seriously serum serve served server servers serves service services serving sess session sessions sets setting
settings settle settled settlement setup seven seventh several severe severity sext shade shader shades shadow shake shall
shallow shame shape shaped shapes shar share shared shares sharing sharp sheet sheets shell shelves shield shift shifted
shifting shifts ship shipped shipping ships shoe shoes shoot shop short shorter shortly shot shots should shouldn show showed
showing shown shows shrink shuffle shut shutdown siblings sick side sides sight sigma sign signal signals signature signed
significance significant significantly signing signs silence silent silly silver similar simple simpler simplicity simply
simulation simultaneously sinc since sind sine sing single singular sinh sink sint site sites sits sitting situation
situations sixth size sized sizeof sizes sketch skil skill skip slave sleep sleeping slice slide slider slides sliding slight
slightly slim slip slope slot slots slow slower slowly small smaller smallest smart smoke smooth snake snap snapshot snow soap
society sock socket socks soft software solar sold sole solely solicit solid solo solution solutions solve solved solving some
somebody somehow someone something sometime sometimes somewhat somewhere song soon sooner sophisticated sore sorry sort sorted
sorting sorts sought sound sounds source sources south southern space spaces spacing spam span spare spatial spawn speak
speaker speakers speaking spec special specialized specializes specially specific specifically specification specifications
specified specify specs spectrum speech speed speeds spell spelling spend spending spent sphere spill spin spinner spirit
spite splash split spoken sponsor sponsored sports spos spot spots spotted spread spreading spring sprintf sprite sqlite sqrt
square squares stability stable stack staff stage stages stamp stan stand standard standards standing stands star start
started starter starting starts startup stat state stated statement statements states static stating station statistical
statistics stats status stay staying stays stdout steady steal steam steel stem step steps stick sticks sticky still stmt
stock stolen stone stop stopped stopping stops stor storage store stored stores stories storing storm story straight
straightforward strange strategies strategy straw strcpy streak stream streaming streams street strength strengthen stress
stretch strict strictly stride strike string strings strip strips strive strlen stroke strong stronger strongly struct
structural structure structured structures stub stuck student studied studio study stuff stupid style styled styles styling
subject subjects submission submit submitted submitting subprocess subs subscribe subscriber subscription subsequent
subsequently subset subst substance substantial substantially substitute substr subtle succ succeed succeeded success
successful successfully such suck suddenly suff suffer suffered suffering sufficient suffix sugar suggest suggested suggesting
suggestion suggestions suggests suicide suit suitable suite suites suits summar summary summer sunt super superior supervisor
supp supplement supplied supplier supplies supply supplying support supported supporting supports suppose supposed suppress
sure surf surface surgery surprise surprised surprises surprising surprisingly surround surrounded surrounding survive suspect
suspected suspend suspended suspension svar swap sweep sweet swift swing switch switched switches switching symbol symbols
symptom symptoms sync synchronized syntax synth synthesis synthetic system systems table tables tabs tack tackle tactics
tagged tags tail take taken takes taking tale talented talk talked talking talks tall taller tand tang tape target targeted
targeting targets task tasks taste taught teach teaches team teams tear tech technical technically technique techniques
technological technologies technology telephone tell telling tells temp temperature template templates temple tempo tempor
temporal temporarily temporary temps tend tends tens tension tensor term terminal terminate terms terrible territory terse
test tested tester testing tests text texts texture thai than thank thanks that their them theme themes themselves then theo
theoretical theory there thereby therefore thereof these theta they thick thickness thin thing things think thinking thinks
third this thorough thoroughly those though thought thoughts thousand thousands thread threads threat threatened three
threshold threw through throughout throw throwing thrown throws thru thumb thumbnail thus tick ticket tickets tied tier ties
tight tile tiles till time timed timely timeout timer times timestamp timing ting tint tiny tips tired tires title titled
titles today todd todo together toggle token tokens told tolerance tomato tomatoes tone tons took tool toolbar tools tooltip
topic topics torn torrent tort toss total totally touch touched touches touching tour tourist tourists toward towards town
towns trace traces track tracked tracker tracking tracks trad trade trademark trademarks trader trades tradition traditional
traffic trail trailer trailing train training trait traits tran trans transaction transactions transfer transferred transfers
transform transformation transformed transformer transforms transit transition transitions translate translated translation
transmission transmit transmitted transparency transparent transplant transport trap trapped trash travel traveled tray treat
treated treating treatment treats tree trees trend trends trial triangle tribute trick tricks tricky tried tries trigger
triggered triggers tril trim trio trip triple trouble troubles trouv true truly trust trusted trustworthy truth trying tube
tune tuned tunnel tuple turn turned turning turns tutorial tutorials twelve twice twist twitter type typed typedef typename
typeof types typical typically typing ugly uint ultimate ultimately ultra unable unavailable uncertain unclear uncover
undefined under undergo underlying underneath understand understanding understands understood undo unexpected unfair
unfortunately uniform union unique unit united units unittest unity universal universe university unknown unless unlike
unlikely unlimited unlock unnecessary unsafe unset unsigned unsupported until unused unusual unwanted upcoming update updated
updates updating upgrade upgraded upgrades upload uploaded upon upper upset urban usage used useful useless user username
users uses using usize usual usually util utilities utility utilize utilizing utils uuid valid validate validated validation
validator validity vals valuable value valued values vanilla variable variables variant variants variation variations varied
varies varieties variety various vars vary varying vast vault vector vectors velocity vendor vendors venue vera verb verbal
verbose verification verified verify vers versatile verse version versions versus vert vertex vertical vertices very viable
vice video videos viet view viewed viewer viewers viewing views ville vintage violation violations virt virtual virtually
viruses visibility visible vision visit visited visiting visitor vista visual vital vocabulary voice void volatile volume
volumes voluntary volunteers vote vulnerable wait waited waiting wake walk walked walking walks wall walls wanna want wanted
wanting wants ward ware warehouse warm warn warned warning warnings warrant warranty wasn waste watch watched watches watching
water wave waves ways weak weakness weather webpage website week weekly weeks weigh weight weights weird welcome welcomed well
went were weren west western what whatever whats wheat wheel wheels when whenever where whereas wherein wherever whether which
while whilst white whole whom whose wide widely wider widespread widget width wiki wild will willing wind window windows winds
wine wing wink winner wins winter wipe wire wireless wisdom wise wish wishes with withdraw within without wonder wondered
wondering wood woods word words work worked worker workers workflow working works workspace world worldwide worm worried worry
worse worst worth would wouldn wrap wrapped wrapper writ write writer writers writes writing written wrong wrote xmlns yang
yeah year yearly years yellow yesterday yield yields young younger your yours yourself zero zeros zone zones zoom
"""


@lru_cache(maxsize=1)
def common_words() -> frozenset[bytes]:
    """The words. They are split at the first use: half a megabyte that an idle gateway does not need."""
    return frozenset(_WORDS.split())
