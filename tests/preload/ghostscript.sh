#!/bin/bash
# ghostscript: a generated document of 24 pages (text in ten fonts, curves, gradients, patterns,
# images, clipping) rendered to two raster formats, to PDF, and from that PDF again; text extracted.
. "$(dirname "$0")/lib.sh"
begin "$@"
need gs ghostscript

GS=(gs -q -dBATCH -dNOPAUSE -dSAFER)

work()
{
	run "${GS[@]}" -sDEVICE=ppmraw -r60 -sOutputFile=p%02d.ppm "$HERE/gs_work.ps" &&
		run "${GS[@]}" -sDEVICE=png16m -r90 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 \
			-dNumRenderingThreads=2 -dBandHeight=100 -dMaxBitmap=0 \
			-sOutputFile=p%02d.png "$HERE/gs_work.ps" &&
		run "${GS[@]}" -sDEVICE=pdfwrite -sOutputFile=work.pdf "$HERE/gs_work.ps" &&
		run "${GS[@]}" -sDEVICE=pgmraw -r50 -sOutputFile=q%02d.pgm work.pdf &&
		run "${GS[@]}" -sDEVICE=txtwrite -sOutputFile=text work.pdf &&
		md5sum p*.ppm p*.png q*.pgm >sums && rm p*.ppm p*.png q*.pgm
}

took_effect gs --version
both work
not_empty sums text
same sums text
[ "$(wc -l <"$TMP/plain/sums")" -eq 72 ] || fail "expected 72 rendered pages"
end "same checksums of 3 x 24 rendered pages and the same extracted text"
