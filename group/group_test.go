package group

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"galene/config"
)

func anHourAgo() time.Time { return time.Now().Add(-time.Hour) }

func TestDataIsMergedAndAnnounced(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op, p := h.join("room", "op"), h.join("room", "presenter")
	op.take()
	p.take()
	before := p.Data()
	for _, patch := range []string{`{"a":1,"b":{"c":[2]}}`, `{"a":null,"d":"x"}`} {
		var data Data
		if err := json.Unmarshal([]byte(patch), &data); err != nil {
			t.Fatal(err)
		}
		if err := p.UpdateData(data); err != nil {
			t.Fatal(err)
		}
		if err := op.Group().UpdateData(data); err != nil {
			t.Fatal(err)
		}
	}
	if len(before) != 0 {
		t.Errorf("data handed out earlier has changed to %v", before)
	}
	const want = `{"b":{"c":[2]},"d":"x"}`
	for _, to := range []*peer{op, p} {
		bodies := to.take()
		members, groups := pick[MemberChanged](bodies), pick[GroupChanged](bodies)
		if len(members) != 2 || len(groups) != 2 {
			t.Fatalf("%d and %d announcements, want 2 each", len(members), len(groups))
		}
		for _, data := range []Data{members[1].Data, groups[1].Data, p.Data(), p.Group().Data()} {
			if got, err := json.Marshal(data); string(got) != want || err != nil {
				t.Errorf("data = %s, %v, want %s", got, err, want)
			}
		}
		if members[0].ID != "presenter" || string(members[0].Data["a"]) != "1" {
			t.Errorf("first announcement = %+v, want the first values", members[0])
		}
	}
}

func TestDataIsBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op := h.join("room", "op")
	limits := config.Limits{}.WithDefaults()
	large := Data{"k": json.RawMessage(strings.Repeat("1", limits.GroupDataBytes))}
	mine := Data{"k": json.RawMessage(strings.Repeat("1", limits.UserDataBytes))}
	if err := op.UpdateData(mine); !errors.Is(err, ErrDataTooLarge) {
		t.Errorf("UpdateData of a member = %v, want ErrDataTooLarge", err)
	}
	if err := op.Group().UpdateData(large); !errors.Is(err, ErrDataTooLarge) {
		t.Errorf("UpdateData of a group = %v, want ErrDataTooLarge", err)
	}
	if len(op.Data()) != 0 || len(op.Group().Data()) != 0 {
		t.Error("refused data was kept")
	}
	username := "presenter"
	c := Credentials{Username: &username, Password: "secret"}
	if _, refusal := h.tryAs("room", c, Newcomer{ID: "1", Data: mine}); refusal == nil || refusal.Text != textTooMuchData {
		t.Errorf("joining with much data: %v, want %q", refusal, textTooMuchData)
	}
}

// A client may change its data and leave in one breath: the others see both in
// order, and the leaver hears nothing more, not even of the group it was in.
func TestNothingReachesAMemberThatHasLeft(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op, p := h.join("room", "op"), h.join("room", "presenter")
	if err := p.Publish(Stream{ID: "s"}); err != nil {
		t.Fatal(err)
	}
	op.take()
	p.take()
	if err := p.UpdateData(Data{"a": json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	p.Leave()
	p.Leave()
	bodies := op.take()
	var got []string
	for _, body := range bodies {
		got = append(got, strings.TrimPrefix(fmt.Sprintf("%T", body), "group."))
	}
	if want := []string{"MemberChanged", "StreamWithdrawn", "MemberLeft"}; !slices.Equal(got, want) {
		t.Errorf("op was told %v, want %v", got, want)
	}

	p.take()
	g := op.Group()
	g.SetLocked(true, "")
	g.Broadcast(NewEvent(g, "hello"), "")
	h.join("room", "op2")
	if err := g.Send("presenter", NewEvent(g, "hello")); !errors.Is(err, ErrNoSuchUser) {
		t.Errorf("Send to who has left = %v, want ErrNoSuchUser", err)
	}
	if bodies := p.take(); len(bodies) != 0 {
		t.Errorf("who has left was told %+v, want nothing", bodies)
	}
	if err := p.UpdateData(Data{}); !errors.Is(err, ErrNotMember) {
		t.Errorf("UpdateData after leaving = %v, want ErrNotMember", err)
	}
	if err := p.Publish(Stream{ID: "s"}); !errors.Is(err, ErrNotMember) {
		t.Errorf("Publish after leaving = %v, want ErrNotMember", err)
	}
	p.Withdraw("s")
}

func TestMembersSeeChangesInOneOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	peers := []*peer{h.join("room", "op"), h.join("room", "op2"), h.join("room", "presenter")}
	for _, p := range peers {
		p.take()
	}
	const changes = 200
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() {
			for i := range changes {
				if err := p.UpdateData(Data{"n": json.RawMessage(fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var first []string
	for i, p := range peers {
		var seen []string
		for _, change := range pick[MemberChanged](p.take()) {
			seen = append(seen, change.ID+string(change.Data["n"]))
		}
		if i == 0 {
			first = seen
		}
		if len(seen) != changes*len(peers) || !slices.Equal(seen, first) {
			t.Errorf("%s saw another order than %s, or not all of %d changes", p.ID(), peers[0].ID(), len(seen))
		}
	}
	for _, p := range peers {
		if got, want := string(p.Data()["n"]), fmt.Sprint(changes-1); got != want {
			t.Errorf("data of %s = %s, want %s", p.ID(), got, want)
		}
	}
}

// A message is either in the history that a newcomer gets or comes after its
// joining, never both, and never before.
func TestChatReachesNewcomersOnceAndAfterJoining(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op := h.join("room", "op")
	g := op.Group()
	messages := config.Limits{}.WithDefaults().HistoryMessages
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range messages {
			g.Chat(ChatEntry{ID: fmt.Sprint(i), Source: "op", Time: time.Now()}, NewEvent(g, fmt.Sprint(i)), "")
		}
	})
	var peers []*peer
	for i := range 20 {
		p, refusal := h.try("room", fmt.Sprintf("p%d", i), "presenter", "secret")
		if refusal != nil {
			t.Fatal(refusal)
		}
		peers = append(peers, p)
	}
	wg.Wait()
	for _, p := range peers {
		bodies := p.take()
		joined, ok := bodies[0].(Joined)
		if !ok {
			t.Fatalf("first event of %s = %+v, want Joined", p.ID(), bodies[0])
		}
		var seen []string
		for _, entry := range joined.History {
			seen = append(seen, entry.ID)
		}
		seen = append(seen, pick[string](bodies)...)
		for i := range messages {
			if i >= len(seen) || seen[i] != fmt.Sprint(i) {
				t.Fatalf("%s saw %v, want 0 to %d once each", p.ID(), seen, messages-1)
			}
		}
		if len(seen) != messages {
			t.Errorf("%s saw %d messages, want %d", p.ID(), len(seen), messages)
		}
	}
}

func TestBroadcastReachesWebSocketMembersButTheException(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op, p := h.join("room", "op"), h.join("room", "presenter")
	username := "op2"
	whip, refusal := h.tryAs("room", Credentials{Username: &username, Password: "secret"},
		Newcomer{ID: "w", Kind: WHIPMember})
	if refusal != nil {
		t.Fatal(refusal)
	}
	g := op.Group()
	for _, x := range []*peer{op, p, whip} {
		x.take()
	}
	g.Broadcast(NewEvent(g, "all"), "")
	g.Broadcast(NewEvent(g, "others"), "op")
	g.Chat(ChatEntry{}, NewEvent(g, "chat"), "presenter")
	if err := g.Send("op", NewEvent(g, "private")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		to   *peer
		want []string
	}{{op, []string{"all", "chat", "private"}}, {p, []string{"all", "others"}}, {whip, nil}} {
		if got := pick[string](tt.to.take()); !slices.Equal(got, tt.want) {
			t.Errorf("%s got %v, want %v", tt.to.ID(), got, tt.want)
		}
	}
}

func TestEventIsEncodedOnce(t *testing.T) {
	t.Parallel()
	e := NewEvent(nil, nil)
	var calls int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := e.Encode(func() []byte { calls++; return []byte("x") })
			if !bytes.Equal(got, []byte("x")) {
				t.Errorf("Encode() = %q, want x", got)
			}
		})
	}
	wg.Wait()
	if calls != 1 {
		t.Errorf("encoded %d times, want once", calls)
	}
}

func TestHistoryIsBoundedByNumberBytesAndAge(t *testing.T) {
	t.Parallel()
	entry := func(i, size int) ChatEntry {
		return ChatEntry{ID: fmt.Sprintf("%03d", i), Time: time.Unix(int64(i), 0), Value: make([]byte, size)}
	}
	limits := config.Limits{}.WithDefaults()
	tests := []struct {
		name        string
		count, size int
		oldest      int64
		first, last string
	}{
		{"few", 3, 10, 0, "000", "002"},
		{"many", 120, 10, 0, "070", "119"},
		{"large", 9, 1 << 20, 0, "006", "008"},
		{"old", 10, 10, 7, "007", "009"},
		{"all old", 10, 10, 20, "", ""},
		{"one too large", 1, limits.HistoryBytes, 0, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h history
			for i := range tt.count {
				h.add(entry(i, tt.size), limits)
			}
			got := h.since(time.Unix(tt.oldest, 0))
			var first, last string
			sum := 0
			for i, e := range got {
				if i == 0 {
					first = e.ID
				}
				last = e.ID
				sum += e.size()
			}
			if first != tt.first || last != tt.last || sum != h.bytes {
				t.Errorf("history from %q to %q of %d bytes, counted as %d; want %q to %q",
					first, last, sum, h.bytes, tt.first, tt.last)
			}
		})
	}
}

func TestClearChatRemovesWhatMatches(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id, user, want string }{
		{"all", "", "", ""},
		{"a user's", "", "u", "v1 v2"},
		{"one message", "1", "u", "u2 v1 v2"},
		{"another's message of that id", "2", "w", "u1 u2 v1 v2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": ops})
			g := h.join("room", "op").Group()
			for _, source := range []string{"u", "v"} {
				for _, id := range []string{"1", "2"} {
					g.Chat(ChatEntry{ID: id, Source: source, Time: time.Now()}, NewEvent(g, id), "")
				}
			}
			g.ClearChat(tt.id, tt.user)
			var got []string
			for _, e := range one[Joined](h.join("room", "presenter")).History {
				got = append(got, e.Source+e.ID)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("history = %v, want %v", got, tt.want)
			}
		})
	}
}
