package offers

// Oracle is what must come out.
type Oracle struct {
	Offers map[string]Offer    // by key
	Users  map[string][]string // keys of each user, in their order
	Places int                 // countries that occur
	Basic  int                 // sign-ups from unknown places
}

// OracleOf makes the oracle of so many sign-ups by plain loops. It shares nothing with the function but the countries.
func OracleOf(seed uint64, count int) Oracle { return oracleOf(NewGenerator(seed), count) }

func oracleOf(g *Generator, count int) Oracle {
	o := Oracle{Offers: map[string]Offer{}, Users: map[string][]string{}}
	seen := map[string]bool{}
	for range count {
		s := g.Next()
		offer := Offer{User: s.User, At: s.At, Plan: DefaultPlan}
		for _, c := range countries {
			if c.code != s.Country {
				continue
			}
			offer.Country, offer.Mbps = c.code, c.mbps
			if c.mbps < 50 {
				offer.Plan = "copper-25"
			} else if c.mbps < 150 {
				offer.Plan = "cable-100"
			} else {
				offer.Plan = "fibre-500"
			}
			seen[c.code] = true
		}
		if s.Country == "" {
			o.Basic++
		}
		o.Offers[s.Key()] = offer
		o.Users[s.User] = append(o.Users[s.User], s.Key())
	}
	o.Places = len(seen)
	return o
}
