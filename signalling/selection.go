package signalling

import (
	"galene/codecs"
	"galene/conn"
)

// wish is what a client wants of a stream.
type wish uint8

const (
	wishAudio    wish = 1 << iota
	wishVideo         // of the best quality
	wishVideoLow      // of the lowest; ignored along with wishVideo
)

// wishFor is every wish that tracks of a kind can satisfy.
func wishFor(k codecs.Kind) wish {
	if k == codecs.Audio {
		return wishAudio
	}
	return wishVideo | wishVideoLow
}

// wishes maps what clients call their wishes.
var wishes = map[string]wish{
	"audio": wishAudio, "video": wishVideo, "video-low": wishVideoLow,
}

// wishOf is the wish in words, of which those that are not known are ignored.
func wishOf(words []string) wish {
	var w wish
	for _, word := range words {
		w |= wishes[word]
	}
	return w
}

// wanted is what a client wants of a stream: what it said about that stream if
// anything, else about its label, else about labels that it did not name.
func wanted(requests map[string]wish, label string, override *wish) wish {
	if override != nil {
		return *override
	}
	if w, ok := requests[label]; ok {
		return w
	}
	return requests[""]
}

// selectTracks picks the tracks of a stream that satisfy w: the first audio
// track, and the first video track, which is the best encoding. The low video
// track is the last one or, if there is only one, the lowest layer of that.
func selectTracks(tracks []conn.UpTrack, w wish) []conn.Selection {
	var selected []conn.Selection
	if w&wishAudio != 0 {
		if audio := tracksOf(tracks, codecs.Audio); len(audio) > 0 {
			selected = append(selected, conn.Selection{Track: audio[0]})
		}
	}
	video := tracksOf(tracks, codecs.Video)
	switch {
	case len(video) == 0:
	case w&wishVideo != 0:
		selected = append(selected, conn.Selection{Track: video[0]})
	case w&wishVideoLow != 0:
		selected = append(selected, conn.Selection{
			Track: video[len(video)-1], LowestLayer: len(video) == 1,
		})
	}
	return selected
}

func tracksOf(tracks []conn.UpTrack, kind codecs.Kind) []conn.UpTrack {
	var found []conn.UpTrack
	for _, t := range tracks {
		if t.Kind() == kind {
			found = append(found, t)
		}
	}
	return found
}
