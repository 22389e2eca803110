#!/usr/bin/env bash
# Downloads and unpacks the pictures of Human3.6M; --help says more.
set -euo pipefail

readonly DEFAULT_MIRROR=http://visiondata.cis.upenn.edu/volumetric/h36m
readonly SUBJECTS=(S1 S5 S6 S7 S8 S9 S11)

usage() {
  cat <<END
Usage: bash data/human36m.sh [MIRROR] [DESTINATION]

Downloads the pictures of Human3.6M, one archive a subject, and unpacks them to
DESTINATION/S1, DESTINATION/S5 and so on.

  MIRROR       address of a folder with S1.tar, S5.tar, S6.tar, S7.tar, S8.tar, S9.tar and S11.tar,
               http(s):// or file:///; $DEFAULT_MIRROR
               unless given, which was reported gone
  DESTINATION  ./human36m unless given

Run it again to go on where it stopped: downloads are resumed, subjects that are already there are
left alone. An archive is kept in DESTINATION/archives until it is unpacked, then deleted; there
must be room for one beside the pictures. The licence of Human3.6M applies: http://vision.imar.ro/human3.6m
END
}

fail() {
  echo "human36m.sh: $*" >&2
  exit 1
}

# Pictures of subject $2 in folder $1.
count_pictures() {
  find "$1" -type f -name "$2_*.jpg" | wc -l
}

fetch() {
  curl --fail --location --progress-bar --connect-timeout 30 --speed-time 60 --retry 3 "$@"
}

# Brings the address $1 to the file $2 by way of $2.part.
download() {
  local code=0
  fetch --continue-at - --output "$2.part" "$1" || code=$?
  if [ "$code" -eq 33 ]; then
    echo "The server cannot resume downloads; starting this one again."
    code=0
    fetch --output "$2.part" "$1" || code=$?
  fi
  [ "$code" -eq 0 ] || fail "$1 cannot be downloaded (curl's exit code $code, its message is" \
    "above). If the server is gone, give a mirror: bash data/human36m.sh MIRROR DESTINATION" \
    "(--help says what one is). What was downloaded is kept, and resumed next time."
  mv "$2.part" "$2"
}

# Unpacks the archive $1 of subject $2 to the folder $3, which appears when it is complete.
unpack() {
  local listed unpacking=$1.unpacking source
  if ! listed=$(tar -tf "$1" | grep -c "$2_[^/]*\.jpg$"); then
    # As a partial download it is resumed if it was cut off.
    mv "$1" "$1.part"
    fail "$1.part is not a whole archive with pictures $2_*.jpg. Run this again to resume its" \
      "download; if that does not help, delete it, or give another MIRROR."
  fi
  echo "$2: unpacking $listed pictures."
  mkdir -p "$unpacking"
  tar -xf "$1" -C "$unpacking" || fail "$1 cannot be unpacked; tar's message is above. It is" \
    "kept: make room if there was none, and run this again."
  [ "$(count_pictures "$unpacking" "$2")" -ge "$listed" ] ||
    fail "$1 lists $listed pictures, fewer were unpacked to $unpacking. The archive is kept."
  source=$unpacking
  [ ! -d "$unpacking/$2" ] || source=$unpacking/$2
  mv "$source" "$3"
  rm "$1"
  # Only folders that are empty go.
  rmdir "$unpacking" "${1%/*}" 2>/dev/null || true
}

get_subject() {
  local subject=$1 folder=$destination/$1 archive=$destination/archives/$1.tar
  if [ -e "$folder" ]; then
    [ "$(count_pictures "$folder/" "$subject")" -gt 0 ] ||
      fail "$folder is there, but holds no picture ${subject}_*.jpg. Move it away, or give another" \
        "DESTINATION."
    echo "$subject: already there."
    return
  fi
  mkdir -p "$destination/archives"
  if [ ! -e "$archive" ]; then
    echo "$subject: downloading $mirror/$subject.tar"
    download "$mirror/$subject.tar" "$archive"
  fi
  unpack "$archive" "$subject" "$folder"
}

case ${1:-} in
  -h | --help)
    usage
    exit
    ;;
  -*) fail "expected a mirror's address, received the option $1; --help says more." ;;
esac
[ $# -le 2 ] || fail "expected at most MIRROR and DESTINATION, received $# arguments."
for tool in curl tar; do
  command -v "$tool" >/dev/null || fail "this needs $tool; install it and run this again."
done

mirror=${1:-$DEFAULT_MIRROR}
mirror=${mirror%/}
destination=${2:-./human36m}
for subject in "${SUBJECTS[@]}"; do
  get_subject "$subject"
done
echo "All subjects are in $destination."
echo "Train with: python run.py --dataset=human --train_data_paths=$destination" \
  "--img_width=128 --img_channel=3 --input_length=4 --total_length=8"
