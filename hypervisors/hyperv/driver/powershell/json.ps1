# JSON in which every character is ASCII. ConvertTo-Json of 5.1 prints enums as numbers, dates as /Date(ms)/ and some
# arrays as objects, stops at a depth of 2, and never ends with an error record
# (https://github.com/PowerShell/PowerShell/issues/17121): answers are built of tables, lists, text and numbers alone.
function ConvertTo-AsciiJson {
    param($Value)
    if ($null -eq $Value) {
        return 'null'
    }
    if ($Value -is [bool]) {
        return $Value.ToString().ToLowerInvariant()
    }
    if ($Value -is [string]) {
        return ConvertTo-AsciiText -Text $Value
    }
    if ($Value -is [Collections.IDictionary]) {
        $members = foreach ($key in $Value.Keys) {
            (ConvertTo-AsciiText -Text $key) + ':' + (ConvertTo-AsciiJson -Value $Value[$key])
        }
        return '{' + ($members -join ',') + '}'
    }
    if ($Value -is [Collections.IEnumerable]) {
        $items = foreach ($item in $Value) {
            ConvertTo-AsciiJson -Value $item
        }
        return '[' + ($items -join ',') + ']'
    }
    if (($Value -is [int]) -or ($Value -is [int64])) {
        return $Value.ToString([Globalization.CultureInfo]::InvariantCulture)
    }
    throw "a $($Value.GetType().FullName) cannot be answered"
}

function ConvertTo-AsciiText {
    param([string]$Text)
    $json = New-Object -TypeName Text.StringBuilder -ArgumentList @('"')
    foreach ($character in $Text.ToCharArray()) {
        $code = [int]$character
        if (($code -eq 0x22) -or ($code -eq 0x5c)) {
            [void]$json.Append('\').Append($character)
        }
        elseif (($code -lt 0x20) -or ($code -gt 0x7e)) {
            [void]$json.Append('\u').Append($code.ToString('x4'))
        }
        else {
            [void]$json.Append($character)
        }
    }
    return $json.Append('"').ToString()
}
