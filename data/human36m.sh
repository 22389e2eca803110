#!/usr/bin/env bash
# Downloads and unpacks the pictures of Human3.6M; --help says more.
set -euo pipefail

readonly SUBJECTS=(S1 S5 S6 S7 S8 S9 S11)

usage() {
  cat <<END
Usage: bash data/human36m.sh MIRROR [DESTINATION]

Downloads the pictures of Human3.6M, one archive a subject, and unpacks them to
DESTINATION/S1, DESTINATION/S5 and so on.

  MIRROR       address of a folder with S1.tar, S5.tar, S6.tar, S7.tar, S8.tar, S9.tar and S11.tar,
               https://, file:/// or http://. The server of 2019, visiondata.cis.upenn.edu, was
               reported gone. Where the folder has a file SHA256SUMS, as sha256sum writes it, all
               archives are checked with it; over http:// nothing else is known to be unchanged.
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

# Never from https to http: a redirection keeps to what the mirror has.
fetch() {
  local protocols==https
  case $mirror in
    http:*) protocols==http,https ;;
    file:*) protocols==file ;;
  esac
  curl --fail --location --globoff --proto "$protocols" --proto-redir "$protocols" \
    --connect-timeout 30 --speed-time 60 --retry 3 "$@"
}

# Sets `sums` to the lines of the mirror's SHA256SUMS, empty if it has none.
fetch_sums() {
  local code=0
  sums=$(fetch --silent --show-error --url "$mirror/SHA256SUMS" 2>/dev/null) || code=$?
  case $code in
    0) ;;
    22 | 37) # no such file, over http and on a disk
      sums=
      echo "$mirror has no SHA256SUMS: what is downloaded cannot be checked."
      ;;
    *) fail "$mirror/SHA256SUMS cannot be downloaded (curl's exit code $code). Try again later, or" \
      "give another MIRROR." ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1"
  else
    shasum -a 256 <"$1"
  fi | cut -d ' ' -f 1
}

# Compares the file $1, downloaded as $2, with the mirror's sum of it.
check_sum() {
  local expected
  [ -n "$sums" ] || return 0
  expected=$(awk -v name="$2" '{ sub(/^\*/, "", $2) } $2 == name { print tolower($1) }' <<<"$sums")
  [ -n "$expected" ] || fail "SHA256SUMS has no line for $2. Give another MIRROR."
  [ "$(sha256 "$1")" = "$expected" ] || {
    mv "$1" "$1.wrong"
    fail "$2 is not what the mirror's SHA256SUMS says: changed or damaged on the way. It is kept as" \
      "$1.wrong; run this again to download it anew, or give another MIRROR."
  }
}

# Brings the address $1 to the file $2 by way of $2.part.
download() {
  local code=0
  fetch --progress-bar --continue-at - --output "$2.part" --url "$1" || code=$?
  if [ "$code" -eq 33 ]; then
    echo "The server cannot resume downloads; starting this one again."
    code=0
    fetch --progress-bar --output "$2.part" --url "$1" || code=$?
  fi
  [ "$code" -eq 0 ] || fail "$1 cannot be downloaded (curl's exit code $code, its message is" \
    "above). If the server is gone, give a mirror: bash data/human36m.sh MIRROR DESTINATION" \
    "(--help says what one is). What was downloaded is kept, and resumed next time."
  mv "$2.part" "$2"
}

# Unpacks the archive $1 of subject $2 to the folder $3, which appears when it is complete.
unpack() {
  local code=0 listed unpacking=$1.unpacking source
  if ! listed=$(tar -tf "$1" $local_only | grep -c "$2_[^/]*\.jpg$"); then
    # As a partial download it is resumed if it was cut off.
    mv "$1" "$1.part"
    fail "$1.part is not a whole archive with pictures $2_*.jpg. Run this again to resume its" \
      "download; if that does not help, delete it, or give another MIRROR."
  fi
  echo "$2: unpacking $listed pictures."
  mkdir -p "$unpacking"
  tar -xf "$1" $local_only --no-same-permissions --no-same-owner -C "$unpacking" || code=$?
  # For root, tar makes device nodes. Links could lead out of the folder.
  find "$unpacking" ! -type f ! -type d -exec rm -f {} +
  [ "$code" -eq 0 ] ||
    fail "$1 cannot be unpacked; tar's message is above. It is kept: make room if there was none," \
      "and run this again."
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
    check_sum "$archive" "$subject.tar"
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
[ $# -ge 1 ] && [ $# -le 2 ] ||
  fail "expected MIRROR and at most DESTINATION, received $# arguments; --help says more."
for tool in curl tar; do
  command -v "$tool" >/dev/null || fail "this needs $tool; install it and run this again."
done

mirror=${1%/}
case $mirror in
  https://* | file://*) ;;
  http://*)
    echo "human36m.sh: $mirror is not encrypted: whoever is on the way can change what comes." >&2
    ;;
  *) fail "expected a mirror's address, https://, file:/// or http://, received $mirror." ;;
esac
destination=${2:-human36m}
# So that no tool takes a name with - or : for an option or another machine.
case $destination in
  /*) ;;
  *) destination=./$destination ;;
esac
local_only=
if tar --version 2>/dev/null | grep -q GNU; then
  local_only=--force-local
fi
fetch_sums
for subject in "${SUBJECTS[@]}"; do
  get_subject "$subject"
done
echo "All subjects are in $destination."
echo "Train with: python run.py --dataset=human --train_data_paths=$destination" \
  "--img_width=128 --img_channel=3 --input_length=4 --total_length=8"
