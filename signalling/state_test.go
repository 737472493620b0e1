package signalling

import "testing"

func TestStateTransitions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		from state
		t    transition
		want state
		ok   bool
	}{
		{"a handshake comes first", connected, handshaken, greeted, true},
		{"and once", greeted, handshaken, greeted, false},
		{"nobody joins before it", connected, joinedGroup, connected, false},
		{"joining makes a member", greeted, joinedGroup, member, true},
		{"of one group at a time", member, joinedGroup, member, false},
		{"who may leave", member, leftGroup, greeted, true},
		{"but not twice", greeted, leftGroup, greeted, false},
		{"it may end at once", connected, ended, over, true},
		{"or in a group", member, ended, over, true},
		{"nothing follows the end", over, joinedGroup, over, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.from.next(tt.t)
			if got != tt.want || ok != tt.ok {
				t.Errorf("%v.next(%d) = %v, %v, want %v, %v", tt.from, tt.t, got, ok, tt.want, tt.ok)
			}
		})
	}
}
